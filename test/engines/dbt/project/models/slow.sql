{{ config(materialized='table', tags=['postgres']) }}
select n, {{ var('factor') }} * n as product, '{{ var("pipeline")["step"] }}' as step
from generate_series(1, 3) as numbers(n), (select pg_sleep({{ var('seconds', 0) }})) as wait
