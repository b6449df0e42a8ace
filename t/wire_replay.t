#!/usr/bin/perl

# Recorded streams of every provider through nginx, dripping in pieces of 1,
# 2, 3 and 7 bytes: what the client gets does not depend on the pieces, and is
# what was said.  (tests/wire compares every field; this is the way through
# nginx.)

use strict;
use warnings;

use lib 't/lib';
use AiProxyTest;
use Test::More;

needs_module();

my %type = (openai => 'openai', deepseek => 'deepseek', moonshot => 'moonshot',
    ark => 'doubao', zhipu => 'zhipuai', groq => 'groq', xai => 'grok',
    openrouter => 'openrouter', mistral => 'mistral',
    together => 'together-ai', 'ollama-compat' => 'ollama',
    'llama-cpp' => 'vllm', gpustack => 'vllm', anthropic => 'claude',
    'azure-anthropic' => 'claude', gemini => 'gemini', dashscope => 'qwen',
    'dashscope-compat' => 'qwen');
my $root = fixtures();
my (%case, %skipped);
for my $file (sort glob "$root/*/*.json") {
    my ($folder, $name) = $file =~ m{([^/]+)/([^/]+)\.json$};
    next unless $type{$folder};
    my $exchange = read_json($file);
    my $chat = $exchange->{api} eq ($folder =~ /anthropic/ ? 'messages'
        : 'chat');
    next if $exchange->{wire} ne 'sse' || $exchange->{response}{status} != 200;
    if (!$chat) { $skipped{"$folder/$name"} = $exchange->{api}; next }
    $case{"$folder-$name"} = [$type{$folder}, $file, $folder, $exchange];
}
ok(keys %case > 40, keys(%case) . ' recorded streams');

my @splits = (0, 1, 2, 3, 7);
my %behaviours;
for my $name (keys %case) {
    $behaviours{"$name-$_"} = { fixture => $case{$name}[1], split => $_ }
        for @splits;
}
my $up = Upstream->start(%behaviours);
my ($http, $server, $number) = (zone(), '', 0);
for my $name (sort keys %behaviours) {
    my ($case) = $name =~ /^(.*)-\d$/;
    my ($type, undef, $folder) = @{ $case{$case} };
    my $id = 'p' . $number++;
    $http .= provider($id => $type => $up->url($name),
        $folder eq 'dashscope' ? 'qwen_enable_compatible off;' : ());
    $server .= "location /$name/ { ai_proxy_pass $id; }\n";
}
my $gw = Gateway->start(http => $http, server => $server);

for my $name (sort keys %case) {
    my (undef, undef, $folder, $exchange) = @{ $case{$name} };
    my (%seen, @wrong);
    my $first;
    for my $split (@splits) {
        my $reply = $gw->client(timeout => 60)->post(
            "/$name-$split/v1/chat/completions", chat_body(
                stream => JSON::PP::true,
                stream_options => { include_usage => JSON::PP::true }));
        # Ids and times that the gateway makes up differ between requests.
        my $body = $reply->{body} =~ s/"created":\d+/"created":0/gr;
        $body =~ s/"id":"chatcmpl-[^"]*"/"id":""/g
            unless $exchange->{response}{body_text} =~ /"id":"chatcmpl-/;
        $body =~ s/"id":"call_[^"]*"/"id":""/g
            unless $exchange->{response}{body_text} =~ /call_/;
        $body =~ s/"(?:message|code)":"[^"]*chatcmpl[^"]*"//g;
        $seen{$body} = $split;
        $first //= $reply;
        push @wrong, "split $split: status $reply->{status}"
            if $reply->{status} != $first->{status};
        push @wrong, "split $split: not complete" unless $reply->{complete};
    }
    push @wrong, 'the output depends on the split: '
        . join ', ', sort values %seen if keys %seen != 1;
    my @events = Client::events($first);
    my $done = grep { !ref && $_ eq '[DONE]' } @events;
    my $errors = grep { ref && $_->{error} } @events;
    $errors = 1 if $first->{status} != 200
        && (Client::json($first) // {})->{error};
    push @wrong, "$done times [DONE] and $errors errors"
        unless $done + $errors == 1;
    if ($done) {
        my $said = said($folder, $exchange->{response}{body_text});
        my $text = Client::text($first);
        push @wrong, 'text "' . substr($said, 0, 100) . '" became "'
            . substr($text, 0, 100) . '"' if $said ne $text;
    }
    ok(!@wrong, $name) or diag(join "\n", @wrong);
}

# The visible text of a recording, by the vendor's own fields.
sub said {
    my ($folder, $body) = @_;
    my $text = '';
    my $block = '';
    for my $event (split /\r?\n\r?\n/, $body) {
        my ($data) = $event =~ /^data:[ ]?(.*?)\r?$/m or next;
        next if $data eq '[DONE]';
        my $value = JSON::PP->new->utf8(0)->decode($data);
        if ($folder =~ /anthropic/) {
            $text .= $value->{delta}{text} // ''
                if $value->{type} eq 'content_block_delta';
            $text .= $value->{content_block}{text} // ''
                if $value->{type} eq 'content_block_start';
        } elsif ($folder eq 'gemini') {
            for my $candidate (grep { defined } $value->{candidates}[0]) {
                $text .= $_->{text} // '' for grep { !$_->{thought} }
                    @{ $candidate->{content}{parts} // [] };
            }
        } elsif ($folder eq 'dashscope') {
            $text .= $value->{output}{choices}[0]{message}{content} // '';
        } else {
            my $choice = $value->{choices}[0] or next;
            my $content = $choice->{delta}{content};
            $text .= $content // '' unless ref $content;
        }
    }
    return $text;
}

diag('not chat, so not here: ' . join ' ', map { "$_ ($skipped{$_})" }
    sort keys %skipped);

done($gw, $up);
