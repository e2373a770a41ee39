-- KEYS[1]: any key of the installation, so that in a Cluster the node that holds them is asked.
return redis.call('TIME')
