-- Takes a partition. KEYS: its owner. ARGV: lineage, epoch, and `force` to take it from an owner with a higher epoch. Says `new` when nobody
-- had it, which a flushed server looks like too; `ours`; `other` when the rows are of another topic or another PostgreSQL; `fenced` when
-- Redis knows a higher epoch.
local owner = redis.call('GET', KEYS[1])
local said = 'new'
if owner then
  local lineage, epoch = string.match(owner, '^(.*)@(%d+)$')
  if lineage ~= ARGV[1] then
    said = 'other'
  elseif tonumber(epoch) > tonumber(ARGV[2]) and ARGV[3] ~= 'force' then
    return 'fenced'
  else
    said = 'ours'
  end
end
redis.call('SET', KEYS[1], ARGV[1] .. '@' .. ARGV[2])
return said
