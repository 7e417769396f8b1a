-- What jobs did and what their quality checks found. Rows are only ever added.
CREATE TABLE ops.job_runs (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    run_id text NOT NULL, -- one per process
    command text NOT NULL,
    model text NOT NULL,
    window_date date NOT NULL,
    started_at timestamptz NOT NULL,
    seconds double precision NOT NULL,
    inputs text[] NOT NULL, -- table@version
    version_written bigint, -- null when nothing was
    rows_read bigint NOT NULL,
    rows_written bigint NOT NULL,
    asked_by text NOT NULL,
    outcome text NOT NULL CHECK (outcome IN ('done', 'skipped', 'blocked', 'failed', 'conflict')),
    message text
);
CREATE INDEX job_runs_by_window ON ops.job_runs (model, window_date, id);

CREATE TABLE ops.quality_log (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    run_id text NOT NULL,
    checked_at timestamptz NOT NULL,
    model text NOT NULL,
    window_date date NOT NULL,
    test text NOT NULL,
    severity text NOT NULL CHECK (severity IN ('error', 'warn')),
    threshold double precision NOT NULL,
    total bigint NOT NULL,
    failed bigint NOT NULL,
    pass_rate double precision NOT NULL,
    status text NOT NULL CHECK (status IN ('pass', 'warn', 'block')),
    sample text[] NOT NULL -- a few failing rows, each as one JSON text
);
CREATE INDEX quality_log_by_window ON ops.quality_log (model, window_date, id);
CREATE INDEX quality_log_by_run ON ops.quality_log (run_id);
