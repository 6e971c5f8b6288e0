#!lua flags=allow-oom
-- Begins the record anew out of the holder's memory, after Redis has lost it.
-- Compares that there is no owner hash.
-- Writes the whole record, with nothing covered by state yet.
-- KEYS owner. ARGV epoch, token, version, tip, base, lease in ms.
if redis.call('EXISTS', KEYS[1]) == 1 then
  local seen = redis.call('HMGET', KEYS[1], 'epoch', 'token')
  return {'lost', seen[1] or '', seen[2] or ''}
end
local time = redis.call('TIME')
local deadline = time[1] * 1000 + math.floor(time[2] / 1000) + ARGV[6]
redis.call('HSET', KEYS[1], 'format', '1', 'epoch', ARGV[1], 'token', ARGV[2],
  'version', ARGV[3], 'tip', ARGV[4], 'base', ARGV[5], 'index', '',
  'deadline', string.format('%.0f', deadline))
return {'ok', ARGV[3], ARGV[4]}
