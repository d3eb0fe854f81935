{{ config(materialized='external', location=(var('pipeline')['output'] | replace('file://', '')) ~ 'daily.parquet', tags=['duckdb']) }}
select day, sum(amount)::bigint as amount
from read_parquet('{{ var("pipeline")["inputs"]["orders"] }}*.parquet')
group by day order by day
