-- Takes a record over while no gateway runs, or makes one.
-- Compares that nobody owns it: that it was given back, that its deadline has passed,
-- or that its owner is the one that is known to be gone.
-- Writes the next epoch, the token and a deadline; where there is no owner hash and
-- fields for one are given, an empty record too.
-- KEYS owner. ARGV token, token of who is gone or nothing, lease in ms, nonce of an
-- empty record, how many words of fields that has, these, then the names of the fields
-- to answer.
local seen = redis.call('HMGET', KEYS[1], 'epoch', 'token', 'deadline')
local names = 6 + tonumber(ARGV[5])
if not seen[1] and names == 6 then
  return {'absent'}
end
-- Before anything is written: scripts do not roll back, and TIME may be forbidden.
local now, ends = tonumber(deadline(0)), deadline(ARGV[3])
local token = seen[2] or ''
if token ~= '' and token ~= ARGV[1] and token ~= ARGV[2] and tonumber(seen[3] or 0) > now then
  return {'owned'}
end
if not seen[1] then
  redis.call('HSET', KEYS[1], 'version', '0-' .. ARGV[4], 'tip', '0-' .. ARGV[4],
    'base', '1:0', 'index', '', unpack(ARGV, 6, names - 1))
end
local epoch = string.format('%.0f', tonumber(seen[1] or 0) + 1)
redis.call('HSET', KEYS[1], 'epoch', epoch, 'token', ARGV[1], 'deadline', ends)
local record = redis.call('HMGET', KEYS[1], unpack(ARGV, names))
local reply = {'ok', epoch}
for at = 1, #ARGV - names + 1 do
  reply[at + 2] = record[at] and '=' .. record[at] or ''
end
return reply
