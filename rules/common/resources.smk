"""Time and memory that jobs ask for, more at each attempt."""

# Memory in GB, measured on two CPU cores with configs/compact.yaml and the images of voc-animals: trainings 2 to
# 3.6, infer_cam 2.2, segment 1.8, random_walk 1.7, each process of a CRF 0.4, others at most 0.2.
# Networks of the paper's size and more processes need more. The rules ask for enough for those.


def times_attempt(first):
    """A resource of `first` at the first attempt, twice that at the second, and so on.

    A job that fails because it ran out of memory or time is submitted again with more of it.
    """

    def of_attempt(wildcards, attempt):
        return first * attempt

    return of_attempt
