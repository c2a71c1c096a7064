// The package ships its schemas as JavaScript without declarations.
declare module "discord-api-spec/zod";
