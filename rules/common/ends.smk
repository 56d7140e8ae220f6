"""The final files of all runs. As targets, they are made again if somebody deletes them."""


def ends_of_runs():
    """Lists networks, maps and masks of all runs for scored images, or for all without scores."""
    part = "eval" if SPLITS else "train_only"
    return [path for method, seed, until in runs() for path in ends_of(method, seed, until, part)]


def ends_of(method, seed, until, part):
    run = run_of(method, seed)
    patterns = [f"{run}/classifier/weights.pt", f"{run}/cam/{{part}}-{{shard}}.npz"]
    if until != "cam":
        patterns += [f"{run}/affinity/weights.pt", f"{run}/random_walk/{{part}}-{{shard}}"]
    if until == "segmentation":
        stages = stages_until(until)[2:]
        patterns += [f"{run}/segmenter/weights.pt"]
        patterns += [f"{run}/{stage}/{{part}}-{{shard}}" for stage in stages]
    return [
        path
        for pattern in patterns
        for path in (shards_of(pattern, part) if "{part}" in pattern else [pattern])
    ]
