"""How imalign is built: what the C core needs beside what setuptools does anyway."""
