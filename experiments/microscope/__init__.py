"""Looking inside a trained network: what its gates did on one recording, and what it would say if one of them were changed.

`analyses` are numbers drawn from a trace or a model, each with its formula; `interventions` edit weights and leave the
equations as they are; `looking` gathers both for a recording, and `page` makes one HTML file of it.
`watching` sees a training from inside, for its report; `epochs` keeps each epoch's network, and `epochs_page` shows them.
"""
