{{ config(materialized='external', location=(var('pipeline')['output'] | replace('file://', '')) ~ 'by_day.parquet', tags=['days']) }}
select 2 * cast(n as integer) as n, d, '{{ var("pipeline")["intervalStart"] }}' as since
from read_parquet('{{ var("pipeline")["inputs"]["numbers"] }}*.parquet')
