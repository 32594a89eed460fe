cairn.start(document);
