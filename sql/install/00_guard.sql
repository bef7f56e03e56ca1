\echo Use "CREATE EXTENSION chat_v11" to load this file. \quit

-- chat_v11: canary rollout of chat protocol v1.1.  Assembled from the modules in sql/install; edit those.
