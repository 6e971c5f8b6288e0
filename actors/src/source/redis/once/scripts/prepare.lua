-- Writes segments ahead of a new layout, under fields of a version that is to come.
-- Compares epoch and token. Writes the fields.
-- KEYS owner, state. ARGV epoch, token, then field and bytes in turn.
for at = 3, #ARGV, 2 do
  redis.call('HSET', KEYS[2], ARGV[at], ARGV[at + 1])
end
return {'ok'}
