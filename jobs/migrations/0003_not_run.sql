-- A window that was not tried, because one that it needs failed or was blocked, has a word of its own. It was `skipped` before, which also
-- means: up to date. Rows that are there keep their word.
ALTER TABLE ops.job_runs DROP CONSTRAINT job_runs_outcome_check;
ALTER TABLE ops.job_runs ADD CONSTRAINT job_runs_outcome_check
    CHECK (outcome IN ('done', 'skipped', 'blocked', 'not run', 'failed', 'conflict'));
