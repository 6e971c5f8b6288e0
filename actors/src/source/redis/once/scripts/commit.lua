-- Makes a checkpoint valid and lets go of what it covers.
-- Compares epoch, token and version, and that the new fields are there.
-- Writes version, index, base and head, and the place of the base where places
-- count; unlinks the lists that are covered whole and
-- trims the one that is covered in part. The record is written first: a list
-- that stays behind is only room lost. Rights that are missing have to show
-- before that, since scripts do not roll back: they are tried on the list 0,
-- which there never is.
-- KEYS owner, state. ARGV epoch, token, version, new version, index, base,
-- prefix of the lists, first number to unlink, how many, number of the list to
-- trim or 0, its last index to keep, head, the place or nothing, then the new fields.
if seen[3] ~= ARGV[3] then
  return {'moved', seen[3] or '', seen[4] or ''}
end
local first, count = tonumber(ARGV[8]), tonumber(ARGV[9])
if count > 1000000 then
  return redis.error_reply('ERR expected at most a million lists, got ' .. ARGV[9])
end
for at = 14, #ARGV do
  if redis.call('HEXISTS', KEYS[2], ARGV[at]) == 0 then
    return {'missing', seen[3], seen[4] or '', ARGV[at]}
  end
end
redis.call('UNLINK', ARGV[7] .. '0')
redis.call('LTRIM', ARGV[7] .. '0', 0, 0)
redis.call('HSET', KEYS[1], 'version', ARGV[4], 'index', ARGV[5], 'base', ARGV[6],
  'head', ARGV[12])
local has_places = ARGV[13] ~= ''
if has_places then
  redis.call('HSET', KEYS[1], 'at', ARGV[13])
end
for at = 0, count - 1 do
  local number = string.format('%.0f', first + at)
  redis.call('UNLINK', ARGV[7] .. number)
  if has_places then
    redis.call('HDEL', KEYS[1], 'time:' .. number)
  end
end
if ARGV[10] ~= '0' then
  redis.call('LTRIM', ARGV[7] .. ARGV[10], 0, ARGV[11])
end
return {'ok', ARGV[4], seen[4] or ''}
