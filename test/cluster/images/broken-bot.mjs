if (process.argv[2] === "run") {
  process.stderr.write("This image is broken on purpose\n");
  process.exit(1);
}
await import("/app/bot.mjs");
