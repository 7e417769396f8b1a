-- Writes rows of a published view. KEYS: the fence, then the keys of the rows. ARGV: the fence's value, then for each row the milliseconds
-- that it has left, whether its values changed, a number of fields, and each field with its value.
-- Answers -1 when another publication has begun, else how many rows were written and how many keys were left alone as somebody else's.
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return {-1, 0}
end
local at, written, refused = 2, 0, 0
for row = 2, #KEYS do
  local key = KEYS[row]
  local left, changed, fields = tonumber(ARGV[at]), ARGV[at + 1] == '1', tonumber(ARGV[at + 2])
  at = at + 3
  local kind = redis.call('TYPE', key).ok
  if kind ~= 'hash' and kind ~= 'none' then
    refused = refused + 1
  elseif left <= 0 then
    redis.call('DEL', key)
  elseif changed or kind == 'none' then
    redis.call('DEL', key)
    if fields > 0 then
      redis.call('HSET', key, unpack(ARGV, at, at + 2 * fields - 1))
      redis.call('PEXPIRE', key, left)
    end
    written = written + 1
  else
    redis.call('PEXPIRE', key, left)
  end
  at = at + 2 * fields
end
return {written, refused}
