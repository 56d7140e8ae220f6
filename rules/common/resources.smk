"""Time and memory that jobs request; both increase with each attempt."""

# Memory in GB, measured on two CPU cores with configs/compact.yaml and the images of voc-animals:
# trainings 2 to 3.6, infer_cam 2.2, segment 1.8, random_walk 1.7, each process of a CRF 0.4, other
# jobs at most 0.2. Since inference computes two images at a time, segment takes 0.25 more. Networks
# of the paper's size and more processes need more; the requests of the rules are large enough for
# these.


def times_attempt(first):
    """Returns a resource function: `first` at the first attempt, 2 * `first` at the second, ...

    With retries, a job that ran out of memory or time is submitted again and requests more.
    """

    def of_attempt(wildcards, attempt):
        return first * attempt

    return of_attempt
