-- Takes the queue over, or raises the own epoch.
-- Compares epoch, token, and deadline unless that is `*`, with what was last seen
-- there and found to be sound; and where there is no owner hash, that there is
-- nothing that only it can explain.
-- Writes the new epoch, the new token and a deadline; where there is no owner
-- hash yet, an empty record too.
-- KEYS owner, state, first list. ARGV epoch, token and deadline seen, new epoch,
-- new token, lease in ms, nonce of an empty record, then the names of the fields to
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
local ends = deadline(ARGV[6])
if epoch == '' then
  redis.call('HSET', KEYS[1], 'format', '1', 'version', '0-' .. ARGV[7],
    'tip', '0-' .. ARGV[7], 'base', '1:0', 'index', '')
end
redis.call('HSET', KEYS[1], 'epoch', ARGV[4], 'token', ARGV[5],
  'deadline', ends)
local record = redis.call('HMGET', KEYS[1], unpack(ARGV, 8))
local reply = {'ok'}
for at = 8, #ARGV do
  reply[at - 6] = record[at - 7] and '=' .. record[at - 7] or ''
end
return reply
