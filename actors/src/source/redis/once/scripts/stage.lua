#!lua flags=allow-oom
-- Writes segments of a checkpoint ahead of its commit, under fields that bear
-- the version that is to come.
-- Compares epoch, token and version. Writes the fields.
-- KEYS owner, state. ARGV epoch, token, version, then field and bytes in turn.
local seen = redis.call('HMGET', KEYS[1], 'epoch', 'token', 'version', 'tip')
if seen[1] ~= ARGV[1] or seen[2] ~= ARGV[2] then
  return {'lost', seen[1] or '', seen[2] or ''}
end
if seen[3] ~= ARGV[3] then
  return {'moved', seen[3] or '', seen[4] or ''}
end
for at = 4, #ARGV, 2 do
  redis.call('HSET', KEYS[2], ARGV[at], ARGV[at + 1])
end
return {'ok', seen[3], seen[4] or ''}
