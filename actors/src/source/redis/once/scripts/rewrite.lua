-- Changes a record of one layout to one of another.
-- Compares epoch and token. Deletes fields, writes those that `next` notes and those
-- that are given, and unlinks `next` and one more key.
-- KEYS owner, maybe next, maybe another key. ARGV epoch, token, how many fields are
-- deleted, these, then field and value in turn.
local count = tonumber(ARGV[3])
for at = 4, count + 3 do
  redis.call('HDEL', KEYS[1], ARGV[at])
end
if KEYS[2] then
  local noted = redis.call('HGETALL', KEYS[2])
  for at = 1, #noted, 2 do
    redis.call('HSET', KEYS[1], noted[at], noted[at + 1])
  end
  redis.call('UNLINK', KEYS[2])
end
for at = count + 4, #ARGV, 2 do
  redis.call('HSET', KEYS[1], ARGV[at], ARGV[at + 1])
end
if KEYS[3] then
  redis.call('UNLINK', KEYS[3])
end
return {'ok'}
