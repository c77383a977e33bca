"""The page of one voice inside the network (`lstm-engine inspect`): sound, features and every gate on one time axis.

Open `look.py` first: it gathers what the page shows; `page` writes the HTML, `epochs` and `epochs_page` show a
training epoch by epoch.
"""
