-- Notes something beside a record, in the place of what was noted there.
-- Compares epoch and token. Writes the hash anew.
-- KEYS owner, hash. ARGV epoch, token, then field and value in turn.
redis.call('UNLINK', KEYS[2])
for at = 3, #ARGV, 2 do
  redis.call('HSET', KEYS[2], ARGV[at], ARGV[at + 1])
end
return {'ok'}
