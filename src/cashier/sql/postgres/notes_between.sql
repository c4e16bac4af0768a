SELECT name, mode, version, CAST(body AS TEXT) FROM counterfoil_notes
WHERE name COLLATE "C" > $1 AND name COLLATE "C" < $2
ORDER BY name COLLATE "C" LIMIT $3
