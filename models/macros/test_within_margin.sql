-- Generic test: no group of events is cut by the margin that its model reads around a window (var margin_seconds). A group of the
-- window before whose events go on behind the margin has them in no row; a group that has none in the margin before the window's
-- end, and goes on behind it, has a second row in the next window.
{% test within_margin(model, of, group_by, order_by) %}
{% set groups = [group_by] if group_by is string else group_by %}
{% set columns = groups | join(', ') %}
{% set start = "cast('" ~ var("window_start") ~ "+00:00' as timestamp with time zone)" %}
{% set end = "cast('" ~ var("window_end") ~ "+00:00' as timestamp with time zone)" %}
{% set margin = "interval '" ~ var("margin_seconds") ~ "' second" %}
with spans as (
    select
        {{ columns }},
        count(*) filter (where {{ order_by }} < {{ start }}) as early,
        count(*) filter (where {{ order_by }} >= {{ start }} + {{ margin }} and {{ order_by }} < {{ end }}) as beyond,
        count(*) filter (where {{ order_by }} >= {{ start }} and {{ order_by }} < {{ end }} - {{ margin }}) as body,
        count(*) filter (where {{ order_by }} >= {{ end }} - {{ margin }} and {{ order_by }} < {{ end }}) as tail,
        count(*) filter (where {{ order_by }} >= {{ end }}) as late
    from {{ of }}
    where {{ order_by }} >= {{ start }} - {{ margin }} and {{ order_by }} < {{ end }} + {{ margin }}
    group by {{ columns }}
)

select *
from spans
where (early > 0 and beyond > 0) or (late > 0 and tail = 0 and body > 0)
{% endtest %}
