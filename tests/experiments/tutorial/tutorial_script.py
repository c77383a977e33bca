"""A voice classifier as the tutorial has it, in Keras's own words: nothing in it knows of this project.

test_tutorial_script.py runs it twice, as it stands and with its two imports changed.
"""

import pandas as pd
from keras.layers import LSTM, Dense
from keras.models import Sequential

EPOCHS = 20

male = pd.read_csv("male_features.csv")
female = pd.read_csv("female_features.csv")
male["label"] = 1
female["label"] = 0
voices = pd.concat([male, female])
voices = voices.sample(frac=1)

X = voices.drop("label", axis=1).values
y = voices["label"].values
X = X.reshape(X.shape[0], 112, 1)

model = Sequential()
model.add(LSTM(64, input_shape=(112, 1)))
model.add(Dense(1, activation="sigmoid"))
model.compile(loss="binary_crossentropy", optimizer="adam", metrics=["accuracy"])
model.summary()

history = model.fit(X, y, epochs=EPOCHS, batch_size=32, validation_split=0.2, shuffle=True, verbose=2)
scores = model.evaluate(X, y)
print(f"Accuracy: {100 * scores[1]:.2f} %")

probabilities = model.predict(X)
answers = (probabilities > 0.5).astype(int)
print("Answers:", answers[:5].ravel())
