# A bot that migrates its database and registers its commands as it should and then fails to run, for tests of rollouts that must not go on.
ARG BOT=localhost/dkp-bot:dev
FROM ${BOT}
COPY broken-bot.mjs /app/broken-bot.mjs
ENTRYPOINT ["node", "/app/broken-bot.mjs"]
