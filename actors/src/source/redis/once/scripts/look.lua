-- Reads fields of the record. Compares nothing, writes nothing. Each one that is
-- there comes with a `=` before it.
-- KEYS owner. ARGV the names of the fields.
local seen = redis.call('HMGET', KEYS[1], unpack(ARGV))
local reply = {'ok'}
for at = 1, #ARGV do
  reply[at + 1] = seen[at] and '=' .. seen[at] or ''
end
return reply
