{{ config(materialized='table', tags=['broken']) }}
select cast('no number' as integer) as n
