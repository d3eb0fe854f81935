-- Reads what the pipeline extracted, and leaves its rows where the pipeline takes the step's output from.
{% set pipeline = var('pipeline') %}
{{ config(materialized='external', location=(pipeline['output'] | replace('file://', '')) ~ 'strikes.parquet') }}
select
  "Wildlife Size" as size,
  count(*) as strikes,
  cast(sum("Cost Total $") as bigint) as cost
from read_parquet('{{ pipeline["inputs"]["strikes"] }}*.parquet')
group by "Wildlife Size"
