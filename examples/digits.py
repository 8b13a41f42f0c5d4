# %% [markdown]
# # Handwritten digits
#
# A percent script is a notebook too: `jupyter kf run examples/digits.py -p neighbours=5`

# %%
from sklearn.datasets import load_digits
from sklearn.metrics import accuracy_score, confusion_matrix
from sklearn.model_selection import train_test_split
from sklearn.neighbors import KNeighborsClassifier
from sklearn.svm import SVC

import jupyter_ext as kf

# %% [markdown]
# ## Parameters

# %%
neighbours = 3

# %% [markdown]
# ## Load

# %%
images, digits = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(images, digits, test_size=0.3, random_state=0)

# %% [markdown]
# ## Nearest neighbours

# %%
nearest = KNeighborsClassifier(n_neighbors=neighbours).fit(X_train, y_train)
nearest_guess = nearest.predict(X_test)

# %% [markdown]
# ## Support vectors

# %%
vectors = SVC(gamma=0.001).fit(X_train, y_train)
vectors_guess = vectors.predict(X_test)

# %% [markdown]
# ## Compare

# %%
guesses = {"nearest": nearest_guess, "vectors": vectors_guess}
accuracy = {name: float(accuracy_score(y_test, guess)) for name, guess in guesses.items()}
best = max(accuracy, key=accuracy.get)

kf.pipelines.metrics(**accuracy)
kf.pipelines.confusion_matrix([str(d) for d in range(10)], confusion_matrix(y_test, guesses[best]))
print(f"{best}: {accuracy[best]:.1%} of the digits read correctly")
