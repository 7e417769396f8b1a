-- Generic test: a query counts `total` and `failed` over the rows (`judged`) and the refused messages (`refused`); the percentage
-- that passed, with two decimals, is at least the threshold in the meta. `is_object` says whether a refused message is
-- a JSON object; here it is told by its first character, because what is no JSON at all was refused as that.
-- `sample` is for the gate of `userflow-jobs`, which shows examples; dbt keeps failing rows by itself.
{% test counts(model, query, sample=none, refused=none) %}
    {%- set meta = config.get('meta', {}) %}
{%- set threshold = meta.threshold if meta is mapping and 'threshold' in meta else 0.99 %}
with judged as (
    select * from {{ model }}
),

{% if refused is not none %}
refused as (
    select
        *,
        reason not in ('invalid_utf8', 'invalid_json') and ltrim(cast(raw as varchar)) like '{' || '%' as is_object
    from {{ refused }}
),

{% endif %}
counted as (
    {{ query }}
)

select *
from counted
where round((1 - cast(failed as decimal(18, 6)) / greatest(total, 1)) * 100, 2) < {{ threshold }} * 100
{% endtest %}
