-- Deletes a slice of the fields that no checkpoint refers to.
-- Compares epoch, token and version. Deletes the fields.
-- KEYS owner, state. ARGV epoch, token, version, then the fields.
if seen[3] ~= ARGV[3] then
  return {'moved', seen[3] or '', seen[4] or ''}
end
for at = 4, #ARGV do
  redis.call('HDEL', KEYS[2], ARGV[at])
end
return {'ok', seen[3], seen[4] or ''}
