-- Takes the queue over, or raises the own epoch.
-- Compares epoch, token, and deadline unless that is `*`, with what was last seen
-- there and found to be sound; and where there is no owner hash, that there is
-- nothing that only it can explain.
-- Writes the new epoch, the new token and a deadline, and a line where one is
-- given; where there is no owner hash yet, an empty record too.
-- KEYS owner, state, first list. ARGV epoch, token and deadline seen, new epoch,
-- new token, lease in ms, nonce of an empty record, line or nothing, how many words
-- of further fields an empty record has, these, then the names of the fields to
-- answer.
local seen = redis.call('HMGET', KEYS[1], 'epoch', 'token', 'deadline')
local epoch, token = seen[1] or '', seen[2] or ''
if ARGV[1] ~= epoch or ARGV[2] ~= token
    or (ARGV[3] ~= '*' and ARGV[3] ~= (seen[3] or '')) then
  return {'lost', epoch, token}
end
if epoch == '' and (redis.call('TYPE', KEYS[2]).ok == 'hash'
    or redis.call('TYPE', KEYS[3]).ok == 'list') then
  return {'orphans'}
end
-- Before anything is written: scripts do not roll back, and TIME may be forbidden.
local ends, names = deadline(ARGV[6]), 10 + tonumber(ARGV[9])
if epoch == '' then
  redis.call('HSET', KEYS[1], 'version', '0-' .. ARGV[7], 'tip', '0-' .. ARGV[7],
    'base', '1:0', 'index', '', unpack(ARGV, 10, names - 1))
end
if ARGV[8] ~= '' then
  redis.call('HSET', KEYS[1], 'line', ARGV[8])
end
redis.call('HSET', KEYS[1], 'epoch', ARGV[4], 'token', ARGV[5],
  'deadline', ends)
local record = redis.call('HMGET', KEYS[1], unpack(ARGV, names))
local reply = {'ok'}
for at = 1, #ARGV - names + 1 do
  reply[at + 1] = record[at] and '=' .. record[at] or ''
end
return reply
