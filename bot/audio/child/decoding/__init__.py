"""From a stranger's file to samples: nothing that the file claims about itself is believed."""
