"""The tables and figures of MLCM-KD (Tong et al.) made again on synthetic persons, by command."""
