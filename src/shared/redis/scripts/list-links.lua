-- The links of a gateway that were announced lately; forgets the others.
-- KEYS: links. ARGV: how long a link that is not announced again is believed, in ms.
-- Returns for each when it was announced, a blank, and the link. With fresh-links.lua before it.
return freshLinks(KEYS[1], ARGV[1])
