rule arena_models:
    """Every system of the configuration, trained or fitted."""
    input:
        [
            path
            for name in MODELS
            for seed in MODELS[name].seeds
            for path in files_of(name, seed)
        ],
