-- Takes a partition. KEYS: its owner. ARGV: lineage, epoch. Says `new` when nobody had it, which a flushed server looks like too; `ours`;
-- `other` when the rows are of another topic or another PostgreSQL; `fenced` when another process has it since.
local owner = redis.call('GET', KEYS[1])
local said = 'new'
if owner then
  local lineage, epoch = string.match(owner, '^(.*)@(%d+)$')
  if lineage ~= ARGV[1] then
    said = 'other'
  elseif tonumber(epoch) > tonumber(ARGV[2]) then
    return 'fenced'
  else
    said = 'ours'
  end
end
redis.call('SET', KEYS[1], ARGV[1] .. '@' .. ARGV[2])
return said
