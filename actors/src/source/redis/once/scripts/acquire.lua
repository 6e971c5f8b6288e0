#!lua flags=allow-oom
-- Takes the queue over, or raises the own epoch.
-- Compares token, and epoch unless that is `*`, with what was last seen there; and
-- where there is no owner hash, that there is nothing that only it can explain.
-- Writes a higher epoch, the new token and a deadline; where there is no owner
-- hash yet, an empty record too.
-- KEYS owner, state, first list. ARGV epoch seen or *, token seen, new token, lease
-- in ms, the highest epoch that the caller ever held, nonce of an empty record.
local seen = redis.call('HMGET', KEYS[1], 'epoch', 'token')
local epoch, token = seen[1] or '', seen[2] or ''
if (ARGV[1] ~= '*' and ARGV[1] ~= epoch) or ARGV[2] ~= token then
  return {'lost', epoch, token}
end
if epoch == '' and (redis.call('TYPE', KEYS[2]).ok == 'hash'
    or redis.call('TYPE', KEYS[3]).ok == 'list') then
  return {'orphans'}
end
local next_epoch = math.max(tonumber(epoch) or 0, tonumber(ARGV[5])) + 1
local time = redis.call('TIME')
local deadline = time[1] * 1000 + math.floor(time[2] / 1000) + ARGV[4]
if epoch == '' then
  redis.call('HSET', KEYS[1], 'format', '1', 'version', '0-' .. ARGV[6],
    'tip', '0-' .. ARGV[6], 'base', '1:0', 'index', '')
end
redis.call('HSET', KEYS[1], 'epoch', string.format('%.0f', next_epoch), 'token', ARGV[3],
  'deadline', string.format('%.0f', deadline))
local record = redis.call('HMGET', KEYS[1], 'epoch', 'version', 'tip', 'base', 'index', 'head')
return {'ok', record[1], record[2] or '', record[3] or '', record[4] or '', record[5] or '',
  record[6] or ''}
