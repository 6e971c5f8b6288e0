-- Writes segments of a checkpoint ahead of its commit, under fields that bear
-- the version that is to come.
-- Compares epoch, token and version. Writes the fields.
-- KEYS owner, state. ARGV epoch, token, version, then field and bytes in turn.
if seen[3] ~= ARGV[3] then
  return {'moved', seen[3] or '', seen[4] or ''}
end
for at = 4, #ARGV, 2 do
  redis.call('HSET', KEYS[2], ARGV[at], ARGV[at + 1])
end
return {'ok', seen[3], seen[4] or ''}
