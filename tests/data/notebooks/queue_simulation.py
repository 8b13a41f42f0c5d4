# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # How many counters does the canteen need?

# %%
import heapq
import random

import numpy as np

random.seed(11)

# %%
MINUTES = 120
waits = {}


def serve(counters, arrivals, minutes=MINUTES):
    free = [0.0] * counters
    heapq.heapify(free)
    out = []
    for t in arrivals:
        start = max(t, heapq.heappop(free))
        heapq.heappush(free, start + random.expovariate(1 / 1.5))
        out.append(start - t)
    return np.array(out)


# %% [markdown]
# ## Arrivals

# %%
arrivals = []
t = 0
while (t := t + random.expovariate(2)) < MINUTES:
    arrivals.append(t)
len(arrivals), round(arrivals[-1], 3)

# %% [markdown]
# ## Try

# %%
for n in range(2, 6):
    waits[n] = serve(n, arrivals)
{n: float(w.mean().round(3)) for n, w in waits.items()}

# %%
# !echo {len(waits)} settings tried
enough = min(n for n, w in waits.items() if np.percentile(w, 90) < 2)

# %% [markdown]
# ## Answer

# %%
print(f"{enough} counters; the unluckiest waits {waits[enough].max():.1f} minutes")
random.random()
