-- Generic test: at the end of the window the newest value is at most so old, such as 2h.
{% test freshness(model, column_name, within) %}
    {% set units = {'s': 'second', 'm': 'minute', 'h': 'hour', 'd': 'day'} %}
select newest
from (select max({{ column_name }}) as newest from {{ model }}) as found
where newest is null
    or newest < cast('{{ var("window_end") }}' as timestamp) - interval '{{ within[:-1] }}' {{ units[within[-1:]] }}
{% endtest %}
