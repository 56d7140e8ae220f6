"""Time and memory that jobs ask for, more at each attempt."""

# Measured on two CPU cores with the pictures of configs/voc-animals.yaml, in GB: trainings 2 to 3.6,
# infer_cam 2.2, segment 1.8, random_walk 1.7, a process of a CRF 0.4, others 0.2 at most. Networks
# of the paper's size and more processes take more; what rules ask for is a limit for those.


def times_attempt(first):
    """A resource that grows with each attempt.

    So a job that ran out of it succeeds when it is sent again.
    """

    def of_attempt(wildcards, attempt):
        return first * attempt

    return of_attempt
