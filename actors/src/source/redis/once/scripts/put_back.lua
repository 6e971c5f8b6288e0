-- Writes the record again as its holder knows it, after somebody has deleted or
-- damaged it.
-- Compares that there is no owner hash, or one with the own token, and that the
-- claimed lists and the fields that the record speaks of are there as they were.
-- Writes the whole record.
-- KEYS owner, state. ARGV epoch, token, version, tip, base, index, head, lease in
-- ms, prefix of the lists, first list, how many, the length of each, how many words
-- of further fields the record has, these, then the fields of the state.
local seen = redis.call('HMGET', KEYS[1], 'epoch', 'token')
if redis.call('EXISTS', KEYS[1]) == 1 and seen[2] ~= ARGV[2] then
  return {'lost', seen[1] or '', seen[2] or ''}
end
local first, count = tonumber(ARGV[10]), tonumber(ARGV[11])
if count > #ARGV - 12 then
  return redis.error_reply('ERR expected the length of each list')
end
for at = 1, count do
  local key = ARGV[9] .. string.format('%.0f', first + at - 1)
  if redis.call('TYPE', key).ok ~= 'list'
    or redis.call('LLEN', key) ~= tonumber(ARGV[11 + at]) then
    return {'missing', ARGV[3], ARGV[4], key}
  end
end
local fields = 13 + count + tonumber(ARGV[12 + count])
if #ARGV >= fields and redis.call('TYPE', KEYS[2]).ok ~= 'hash' then
  return {'missing', ARGV[3], ARGV[4], KEYS[2]}
end
for at = fields, #ARGV do
  if redis.call('HEXISTS', KEYS[2], ARGV[at]) == 0 then
    return {'missing', ARGV[3], ARGV[4], ARGV[at]}
  end
end
-- Before anything is written: scripts do not roll back, and TIME may be forbidden.
local ends = deadline(ARGV[8])
for at = 13 + count, fields - 1, 2 do
  redis.call('HSET', KEYS[1], ARGV[at], ARGV[at + 1])
end
redis.call('HSET', KEYS[1], 'epoch', ARGV[1], 'token', ARGV[2],
  'version', ARGV[3], 'tip', ARGV[4], 'base', ARGV[5], 'index', ARGV[6], 'head', ARGV[7],
  'deadline', ends)
return {'ok', ARGV[3], ARGV[4]}
