-- The layer is the schema, without dbt's prefix: `gold.webtoon_user_daily` in every engine.
{% macro generate_schema_name(custom_schema_name, node) -%}
    {{ custom_schema_name if custom_schema_name else target.schema }}
{%- endmacro %}
