"""Random programs whose generator knows which parameter flows where and which line cuts it."""
