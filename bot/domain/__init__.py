"""The words and rules of Stemcord: frozen types and pure functions, standard library only."""
