-- Run once, when the container's PostgreSQL is made: Airflow's metadata beside the online store.
create database airflow;
