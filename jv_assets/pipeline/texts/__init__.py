"""What is known of profiles' texts and vectors: values, lengths, model names, and which texts need a vector.

The steps that read profiles and embed their texts are one floor up.
"""
